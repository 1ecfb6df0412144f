//! The policy behind an OpenAI-compatible HTTP interface, and scoring beside it.
