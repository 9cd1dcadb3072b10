"""What remains of a search: leaderboard, pictures, the exported bundle and predictions."""
