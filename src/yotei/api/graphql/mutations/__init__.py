"""The fields that write: for each domain its inputs, payloads and mutations."""
