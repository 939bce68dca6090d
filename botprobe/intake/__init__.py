"""Reading mail: header blocks, Received fields, and what of them can be believed."""
