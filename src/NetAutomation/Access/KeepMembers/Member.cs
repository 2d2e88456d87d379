using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using NetAutomation.Web.Http;

namespace NetAutomation.Access.KeepMembers;

internal sealed record Member(TenantId TenantId, MemberId Id, DateTimeOffset CreatedAt) : IResource<MemberKind>
{
    public required string Name { get; set; }

    public required MemberRole Role { get; set; }

    public MemberState State { get; set; }

    public int Version { get; set; } = 1;

    public bool IsActiveAdmin => this is { Role: MemberRole.Admin, State: MemberState.Active };

    internal sealed class Table : IEntityTypeConfiguration<Member>
    {
        public void Configure(EntityTypeBuilder<Member> builder)
        {
            builder.ToTable("member", "onboarding").HasKey(member => new { member.TenantId, member.Id });
            builder.Property(member => member.Version).IsConcurrencyToken();
            builder.Ignore(member => member.IsActiveAdmin);
        }
    }
}
