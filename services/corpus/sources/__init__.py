"""What corpora are made of: text, JSON lines, CSV and Parquet files, folders, datasets."""
