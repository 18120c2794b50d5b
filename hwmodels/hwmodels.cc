// Replaced by the first sources of this layer.
