"""What ships for operators is what its tools take it for, and says what the node understands."""
