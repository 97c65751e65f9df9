"""Running code with a model loaded: gradients, previews, messages, files, training loops."""
