"""From a recipe's sections to torch: network, loss, class weights, augmentation, optimiser; no files, no Optuna."""
