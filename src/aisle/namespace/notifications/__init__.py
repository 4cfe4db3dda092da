"""Event notifications: what a bucket's configuration asks for (`rules`), the rows that remember
what is to be told (`queue`), and the messages that tell it (`messages`)."""
