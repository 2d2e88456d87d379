# The service with all its roles: docker build -t netautomation .
# Another vendor's or an internal mirror's images can be given: both need Debian 12 or later, for the packages below.
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0
ARG RUNTIME_IMAGE=mcr.microsoft.com/dotnet/aspnet:10.0

FROM ${SDK_IMAGE} AS build
WORKDIR /source
# What a restore needs comes first, so that a change in the code does not restore again.
COPY global.json Directory.Build.props Directory.Packages.props .editorconfig ./
COPY src/NetAutomation/NetAutomation.csproj src/NetAutomation/packages.lock.json src/NetAutomation/
COPY src/NetAutomation.Aws/NetAutomation.Aws.csproj src/NetAutomation.Aws/packages.lock.json src/NetAutomation.Aws/
COPY src/NetAutomation.Tunnel/NetAutomation.Tunnel.csproj src/NetAutomation.Tunnel/packages.lock.json src/NetAutomation.Tunnel/
COPY src/NetAutomation.Connector/NetAutomation.Connector.csproj src/NetAutomation.Connector/packages.lock.json src/NetAutomation.Connector/
RUN dotnet restore src/NetAutomation --locked-mode && dotnet restore src/NetAutomation.Connector -r linux-x64 --locked-mode
COPY src/ src/
# Analysers have their say in tests/run.
RUN dotnet publish src/NetAutomation -c Release --no-restore -p:RunAnalyzers=false -o /app
# One file that customers fetch through their endpoint: /v1/connector-releases/{version}/{rid}.
RUN version=$(dotnet msbuild src/NetAutomation.Connector -getProperty:Version) \
    && dotnet publish src/NetAutomation.Connector -c Release -r linux-x64 --no-restore -p:RunAnalyzers=false -o /tmp/connector \
    && install -D -m 755 /tmp/connector/netautomation-connector "/releases/$version/linux-x64/netautomation-connector"

FROM ${RUNTIME_IMAGE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends ansible bubblewrap openssh-client python3-asyncssh python3-paramiko python3-seccomp tini uidmap util-linux \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 netautomation \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin netautomation \
    && printf 'netautomation:100000:65536\n' | tee /etc/subuid > /etc/subgid \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/netautomation/keys /var/lib/netautomation/certificates \
    && install -d -o 10001 -g 10001 -m 711 /var/lib/netautomation /var/lib/netautomation/content
COPY --from=build --chown=root:root /app /app
COPY --from=build --chown=root:root /releases /releases
# Not files of the image: keys and certificates are a volume or mounted secrets.
VOLUME /var/lib/netautomation
ENV Connectors__ReleasesDirectory=/releases \
    Catalog__PlatformsDirectory=/app/platforms \
    Catalog__BlocksDirectory=/app/blocks \
    Catalog__ContentDirectory=/var/lib/netautomation/content \
    Inventory__KeyDirectory=/var/lib/netautomation/keys \
    Edge__CertificateDirectory=/var/lib/netautomation/certificates \
    Execution__WorkDirectory=/tmp/netautomation
USER 10001:10001
WORKDIR /
# customer, connector, operator, registration, peer
EXPOSE 8443 8444 9443 8080 9444
# tini reaps what a killed sandbox leaves. Roles__0=api and so on choose what a process does; `migrate` is its own step.
# A worker refuses to start where the host does not let it make user namespaces, and says what to allow. Each sandbox has a user id of its
# own, of those above, unless the container is started with no-new-privileges.
ENTRYPOINT ["/usr/bin/tini", "--", "dotnet", "/app/NetAutomation.dll"]
