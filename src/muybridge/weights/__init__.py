"""Weight files: fetched, read without executing anything, renamed, grown from 2D to 3D."""
