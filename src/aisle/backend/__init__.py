"""Providers: one package or module for each kind of remote bucket, behind the port in `base`."""
