"""The slow loop: language models as guests with a budget, and what is written without them."""
