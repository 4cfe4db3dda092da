"""The one store of users: accounts, users, access keys, roles, sessions, tokens."""
