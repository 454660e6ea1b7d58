"""Dataset cards: what a prepared dataset holds, measured, before anybody trusts it."""
