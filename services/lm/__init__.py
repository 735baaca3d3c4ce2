"""Language models: catalogue, loading, prompts, tokens, decoding and capturing activations."""
