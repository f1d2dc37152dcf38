"""What the paper asks people about images: features to label, emotions to rate."""

# The features of the paper's fine-tuning, in its order.
FEATURES = (
    "enthusiasm",
    "anger",
    "anxiety",
    "white",
    "black",
    "Asian",
    "Latino",
    "men",
    "women",
    "children",
    "symbols of collective identity",
    "the movement will succeed",
)

# The paper's ten emotions by their dimension, each rated from 1 to 10.
EMOTIONS = {
    "enthusiasm": ("hopeful", "enthusiastic", "proud"),
    "aversion": ("angry", "resentful", "bitter", "hateful"),
    "anxiety": ("worried", "scared", "afraid"),
}
