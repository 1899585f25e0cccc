"""Call models: embedders and generators, OpenAI's and local ones, with budget, fallback and cache."""
