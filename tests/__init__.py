"""Tests of the whole product from outside, and of its layers."""
