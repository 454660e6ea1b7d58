"""Small cells: which numbers about few people are not published, nor what would restore them."""
