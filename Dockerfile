# Two images, for classic builds and BuildKit alike.
#   small    study, status, dashboard: no torch                docker build --target small  -t marsearch:small .
#   worker   everything, torch included                        docker build --target worker -t marsearch:worker .
#
# By default torch comes from PyPI, with CUDA. For a machine without a GPU:
#   docker build --build-arg TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu ...
#
# What pip is told (an index may carry a password) is told to stages of which nothing but installed files goes on: it is
# in no layer, no history and no environment of an image.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG TORCH_INDEX_URL=""
ARG PIP_INDEX_URL=https://pypi.org/simple
ARG PIP_EXTRA_INDEX_URL=""
ARG PIP_TRUSTED_HOST=""

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/marsearch/bin:$PATH


# What each image needs; the small one is without what only trainings and exports use. A stage of its own, so that other
# changes of pyproject.toml fetch nothing again.
FROM base AS needs
WORKDIR /needs
COPY pyproject.toml .
RUN python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        extras = project["optional-dependencies"]; \
        print(*project["dependencies"], *extras["postgres"], *extras["s3"], sep="\n")' > worker.txt \
    && grep -vE '^(torch|onnx|onnxruntime|onnxscript|safetensors)[^a-z]' worker.txt > small.txt


FROM base AS packages
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/marsearch
WORKDIR /src
COPY constraints.txt .
COPY --from=needs /needs/small.txt .
RUN pip --python /opt/marsearch/bin/python install --only-binary :all: -c constraints.txt -r small.txt


# Our own code, a layer that may change without the others.
FROM packages AS code
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST
COPY pyproject.toml README.md LICENSE ./
COPY search search
COPY spaces spaces
COPY storage storage
RUN pip --python /opt/marsearch/bin/python install --no-deps --prefix /opt/code -c constraints.txt .


# torch first and alone, so that the rest finds it there, whichever build it is.
FROM packages AS packages-worker
ARG TORCH_INDEX_URL PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST
COPY --from=needs /needs/worker.txt .
RUN pip --python /opt/marsearch/bin/python install --only-binary :all: --no-deps -c constraints.txt \
        ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch \
    && pip --python /opt/marsearch/bin/python install --only-binary :all: -c constraints.txt -r worker.txt


# What both images stand on: Python without what installs packages, and a user. Any other user may run them as well
# (docker-compose runs them as you), so every folder that is written to is open to all, as /tmp is.
FROM base AS runtime
RUN python -m pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip \
    && useradd --uid 1000 --create-home marsearch \
    && install -d -m 1777 /artifacts /bundles /data /home/marsearch /home/marsearch/runs
ENV HOME=/home/marsearch USER=marsearch MARSEARCH_HOME=/home/marsearch/runs \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /home/marsearch
ENTRYPOINT ["marsearch"]
CMD ["--help"]


FROM runtime AS small
COPY --from=packages /opt/marsearch /opt/marsearch
COPY --from=code /opt/code /opt/marsearch
USER 1000:1000


FROM runtime AS worker
COPY --from=packages-worker /opt/marsearch /opt/marsearch
COPY --from=code /opt/code /opt/marsearch
# What the NVIDIA container toolkit is to put in: the driver's libraries, that one too by which workers ask for GPUs.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000
