//! A study: a graph of training runs, evaluations and merges, and what they say of the order in
//! which tasks are best trained.
