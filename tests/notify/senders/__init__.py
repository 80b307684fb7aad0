"""Each kind of sink is sent to through its stand-in, and each fault becomes the error that it should."""
