//! Datasets to rows: JSONL, JSON and Parquet, local or from the Hugging Face hub.
