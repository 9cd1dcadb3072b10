"""The page of a study: how far it is, its best trials and their pictures, its hosts, its classes."""
