"""The recipe that makes Tacit's built-in model: data, tokenizer, model, trainer, export, evaluation.

Run `make -C training help` for the steps. Nothing here is needed to build or use the product.
"""
