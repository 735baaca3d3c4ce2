"""What an SAE's decoder says without any text: logit weights and neighbours."""
