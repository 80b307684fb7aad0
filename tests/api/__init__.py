"""The API: what it takes and answers, over real sockets where that matters."""
