"""The Freeze tab: the layer profile, the strategies, and their comparison."""
