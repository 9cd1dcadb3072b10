"""What a recipe is made of in torch: networks, losses, augmentation, optimisers."""
