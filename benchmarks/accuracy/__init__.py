"""The experiment behind ``strict``: operators, honest and dishonest ways to compute them, counts."""
