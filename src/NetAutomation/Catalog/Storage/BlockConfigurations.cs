using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Catalog.Model;

namespace NetAutomation.Catalog.Storage;

internal sealed class BlockConfigurations
    : IEntityTypeConfiguration<Block>, IEntityTypeConfiguration<BlockVersionRow>
{
    public void Configure(EntityTypeBuilder<Block> builder) => builder.ToTable("block", "catalog").HasKey(block => block.Slug);

    public void Configure(EntityTypeBuilder<BlockVersionRow> builder)
    {
        builder.ToTable("block_version", "catalog").HasKey(version => new { version.Slug, version.Version });
        builder.Property(version => version.InputSchema).HasColumnType("jsonb");
        builder.Property(version => version.Result).HasColumnType("jsonb");
        builder.Property(version => version.Lacks).HasColumnType("jsonb");
    }
}
