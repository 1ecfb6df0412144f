//! The language models that answer judges' questions: endpoints over HTTP and local models.
