"""Scene to Scene, and Scene to Picture; the only rooms that import `cv2` and TFLite."""
