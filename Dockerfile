# One image for the study, the workers and the dashboard.
# Pass PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS as build arguments to pick a CPU or CUDA build of torch.
FROM python:3.11-slim-bookworm

ARG PIP_EXTRA_INDEX_URL=""
ARG PIP_FIND_LINKS=""
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

# The dependencies are a layer of their own, which a change of our code leaves alone.
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN mkdir search spaces storage \
    && pip install --no-cache-dir -c constraints.txt '.[postgres,s3]' \
    && pip uninstall --yes marsearch
COPY search search
COPY spaces spaces
COPY storage storage
RUN pip install --no-cache-dir --no-deps .

# A volume mounted on /artifacts takes over the owner of the folder it covers.
RUN useradd --create-home --uid 1000 marsearch \
    && install -d -o marsearch -g marsearch /artifacts /home/marsearch/runs
USER marsearch
WORKDIR /home/marsearch

ENTRYPOINT ["marsearch"]
CMD ["--help"]
