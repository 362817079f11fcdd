"""`make coherence`: whether what is read over HTTP is as fresh as the cache promises, whatever fails meanwhile."""
