"""One loss a file; `objective` weighs them."""
