"""What bends a sampling step: appearance guidance and AdaIN."""
