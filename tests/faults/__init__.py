"""What must hold whatever breaks: each fault on real processes, at a moment that its seed sets."""
