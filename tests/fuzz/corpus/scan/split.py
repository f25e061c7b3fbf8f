k = "AKIA" + "Q7ZVT2MLX9KD7RWP"
secret_key = ("q7ZvT2mLx9Kd7RwP4nBs"
   "c8Yh3Fg6Jk1Nu5Oe0Ia2")
