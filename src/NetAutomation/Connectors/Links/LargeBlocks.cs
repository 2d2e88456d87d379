using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace NetAutomation.Connectors.Links;

/// <summary>
/// Memory of a server that carries streams. Kestrel's own blocks hold 4 KB, so that a TLS record of 16 KB takes four reads of the socket
/// and four of the cipher; an idle connection holds no block of either size.
/// </summary>
internal sealed class LargeBlocks : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    private const int Size = 32 * 1024;

    public override int MaxBufferSize => Shared.MaxBufferSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Shared.Rent(Math.Max(minBufferSize, Size));

    MemoryPool<byte> IMemoryPoolFactory<byte>.Create(MemoryPoolOptions? options) => this;

    protected override void Dispose(bool disposing)
    {
        // It owns nothing: rented memory goes back to the shared pool.
    }
}
