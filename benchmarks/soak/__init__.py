"""An hour of everything at once, at half of what the platform can do: does anything grow?"""
