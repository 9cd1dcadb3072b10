"""Data sets as people have them: folders of images and masks, lists of paths, the AI4Mars release."""
