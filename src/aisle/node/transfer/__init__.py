"""`aisnode export` and `aisnode import`: moving a store from one deployment to another."""
