# The environment of `make study`, for docker or podman:  docker build -t qff . && docker run -v "$PWD/results:/study/results" qff
FROM python:3.11.7-slim-bookworm
RUN apt-get update && apt-get install --no-install-recommends -y git libgomp1 make && rm -rf /var/lib/apt/lists/*
WORKDIR /study
COPY requirements.lock ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir -r requirements.lock
COPY . .
RUN make .venv/bin/.installed
ENTRYPOINT ["make"]
CMD ["study"]
