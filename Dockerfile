# medfl in a container, without root: docs/containers.md. Its default command is the demo.
#
#   docker build --target cpu -t medfl:cpu .      the default; TORCH_INDEX makes it small
#   docker build --target cuda -t medfl:cuda .    for an NVIDIA GPU
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${PYTHON_IMAGE} AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 medfl \
    && install --directory --owner medfl /home/medfl/project
# USER: Snakemake asks for a name, which a number given by `--user` has not.
ENV HOME=/home/medfl \
    USER=medfl \
    PATH=/home/medfl/project/.venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
USER 1000
WORKDIR /home/medfl/project
COPY --chown=1000 Makefile requirements.lock ./

# An index of PyTorch's builds for processors alone leaves out CUDA, most of the image.
FROM base AS packages-cpu
ARG TORCH_INDEX=
RUN make packages TORCH_INDEX="${TORCH_INDEX}"

FROM base AS packages-cuda
RUN make packages
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# Whoever runs it with `--user` may write where the demo does, and nowhere else.
FROM packages-cuda AS cuda
COPY --chown=1000 . .
RUN make install && mkdir data && chmod a+rwx ~ . data results
CMD ["make", "demo"]

FROM packages-cpu AS cpu
COPY --chown=1000 . .
RUN make install && mkdir data && chmod a+rwx ~ . data results
CMD ["make", "demo"]
