from visclust.embedding.embed import embed_images as embed_images
from visclust.embedding.encoders import (
    choose_encoder as choose_encoder,
    list_encoders as list_encoders,
    load_encoder as load_encoder,
)
from visclust.embedding.figures import (
    list_embedding_values as list_embedding_values,
    plot_channels as plot_channels,
    plot_embedding_values as plot_embedding_values,
    split_channels as split_channels,
)
from visclust.embedding.neighbours import list_neighbours as list_neighbours
from visclust.embedding.preparation import (
    apply_preparation as apply_preparation,
    prepare_rows as prepare_rows,
)
from visclust.embedding.storage import (
    list_embeddings as list_embeddings,
    load_embedding as load_embedding,
    save_embedding as save_embedding,
)
