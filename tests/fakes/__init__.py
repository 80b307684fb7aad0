"""One fake for each port; each passes the contract tests that the real adapter passes."""
