"""Links that protect what a client sends."""
