"""The slow loop: language models with a budget, and what is written without them."""
