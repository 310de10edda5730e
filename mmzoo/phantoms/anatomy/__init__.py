"""What a body is made of: shapes and tissues, in millimetres."""
