"""What every tab stands in: colours, work in hand, toasts, downloads, boxes, charts."""
