"""Values and tables every layer shares. Imports the standard library, msgspec and awscrt only."""
