"""Preflight: a model and an SAE measured together on a stated text, and what follows from it.

**Text.** `text.txt`, cut into windows of min(n_ctx, 256) tokens, at most 4,096 tokens in all and
fewer with a large model on a CPU; BOS in front of each window unless the SAE denies it or the
tokenizer has none. Counted are all tokens except special ones and the first position of a window,
BOS or not: models use the first position as a place to rest their attention on.

**Metrics**, over the n counted tokens. x [d_in] is what the SAE reads, f [d_sae] its features, y
what it is to reconstruct (x itself; a transcoder's output hook), y' the reconstruction, ȳ the mean
of y. Sums are in float64.

    l0, l0_p10, l0_p90  mean, 10 % and 90 % quantile of the number of features with f ≠ 0
    explained_variance  1 - fvu
    fvu                 Σ ||y - y'||² / Σ ||y - ȳ||²   (one ratio of sums, no mean of ratios)
    mse                 Σ ||y - y'||² / (n · d)
    cosine              mean of y · y' / (||y|| ||y'||)
    norm_ratio          mean of ||y'|| / ||y||
    ce_model            mean of -ln p(token) in nats, over the counted tokens as targets
    ce_spliced          the same with y' in the place of y at all positions but the first
    ce_zero             the same with zeros in the place of y at all positions but the first
    loss_recovered      (ce_zero - ce_spliced) / (ce_zero - ce_model); None where zeros cost
                        less than 0.05 nats or y is computed from a place in the model, not one
    dead_share          share of features that fire on none of the n tokens
    dense_share         share of features that fire on more than 10 % of them
    input_norm          mean of ||x||
    expected_norm       the mean norm that the SAE says it was trained on
    bos_norm            mean of ||x|| at BOS

**Curves**: `l0_histogram` with `l0_edges` (tokens), `density_histogram` with `density_edges`
(features by log10 of the share of tokens they fire on; those that never fire are left out),
`input_norm_histogram` with `input_norm_edges` (tokens), `error_by_position` (fvu at each position
of a window, constant within a thirty-second of it), `window_explained_variance` (of each window,
around the mean of all).

**Findings** by code; what makes them suspicious or broken is in `thresholds.py`.

    no_hook, wrong_width           the model lacks the hook point, or has another width there
    tokenizer, model_guesses       a foreign vocabulary; a model that does not predict the text
    not_finite                     NaN or infinity in activations, features, reconstruction
    not_measured                   a transcoder whose output hook is not known, or a layer of a
                                   cross-layer transcoder, which writes to no single place
    not_reconstructing             hardly any variance is explained
    wrong_layer, scale_off, no_threshold, decoder_damaged, encoder_damaged
                                   the cause of that, where undoing it helps or weights show it
    wrong_model, transfer          trained on another model: it does not fit, or it does
    too_dense, too_sparse, dead    how many features fire
    l0_differs, ev_differs, loss_worse   against what is published; loss_worse also by itself
    doubled_bos, missing_bos, context_short   how texts begin and how long they may be
"""

from services.sae.preflight.evidence import METRICS
from services.sae.preflight.run import preflight

__all__ = ["METRICS", "preflight"]
