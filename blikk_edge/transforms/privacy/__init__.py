"""The only way out for pixels: faces are found, blurred, and private parts painted over."""
